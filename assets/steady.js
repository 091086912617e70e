/* A list that changes under the pointer: the item under it stays, and a click acts on the pressed item. */
const NEAR_PX = 8; // a finger always moves a little

const pointers = new WeakMap(); // by list, the position of the pointer over it

/* The item under the pointer; `:hover` misses an element that was replaced, until the pointer moves. */
function under(list) {
  const at = pointers.get(list),
    found = at && document.elementFromPoint(at.clientX, at.clientY);
  return [...list.children].find((item) => item.contains(found));
}

const keyOf = (item) => item?.querySelector("[data-key]")?.dataset.key;

/** Change a list so that one item keeps its position on the screen. This is the item under the pointer (a list too short
    to scroll is padded for it); if there is none, the item with the focus; failing that, if the list is scrolled, the
    first visible item. */
function keep(list, change) {
  const pointed = list.querySelector(":scope > :active") || list.querySelector(":scope > :hover") || under(list);
  const top = list.getBoundingClientRect().top;
  const inSight = () =>
    list.scrollTop > 0 && [...list.children].find((item) => item.getBoundingClientRect().bottom > top);
  const item = pointed || list.querySelector(":scope > :focus-within") || inSight() || null;
  const key = item && keyOf(item),
    before = item?.getBoundingClientRect().top;
  change();
  const now = key && list.querySelector(`[data-key="${key}"]`)?.closest("li");
  if (!now) return;
  const moved = () => now.getBoundingClientRect().top - before;
  list.scrollTop += moved();
  if (pointed && moved() > 1) {
    const content = list.lastElementChild.getBoundingClientRect().bottom - top + list.scrollTop;
    list.style.paddingBottom = `${list.clientHeight + list.scrollTop + moved() - content}px`;
    list.scrollTop += moved();
  } else if (pointed && moved() < -1) list.style.paddingTop = `${parseFloat(list.style.paddingTop || 0) - moved()}px`;
}

/** Call `act` with the data of the clicked button. */
function watch(list, act) {
  const dataOf = (target) => ({ ...target.closest("button")?.dataset });
  let pressed = null;
  list.addEventListener(
    "pointerdown",
    ({ target, clientX, clientY }) => (pressed = { data: dataOf(target), clientX, clientY }),
  );
  list.addEventListener("click", ({ target, detail, clientX, clientY }) => {
    const byPointer =
      detail > 0 && pressed && Math.hypot(clientX - pressed.clientX, clientY - pressed.clientY) < NEAR_PX;
    act(byPointer ? pressed.data : dataOf(target));
    pressed = null;
  });
  list.addEventListener("pointermove", ({ clientX, clientY }) => pointers.set(list, { clientX, clientY }));
  list.addEventListener("pointerleave", () => pointers.delete(list));
  list.addEventListener("pointerleave", () => Object.assign(list.style, { paddingTop: "", paddingBottom: "" }));
}

export const steady = { keep, watch };
