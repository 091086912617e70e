/* Sets the reader's theme before the page is drawn, so that it does not first flash in the other theme. */
(() => {
  const asked = window.matchMedia("(prefers-color-scheme: dark)");

  const known = (theme) => (theme === "light" || theme === "dark" ? theme : "auto");

  function saved() {
    try {
      const theme = window.localStorage.getItem("tickflow-theme");
      if (theme !== null) return known(theme);
    } catch {
      /* the browser has no storage */
    }
    // the reader has not chosen a theme: take the one in the link
    return known(new URLSearchParams(window.location.search).get("theme"));
  }

  const root = document.documentElement;
  let scheme = "light";

  function set(theme) {
    scheme = theme === "auto" ? (asked.matches ? "dark" : "light") : theme;
    root.dataset.mantineColorScheme = scheme;
    if (document.body) document.body.dataset.agThemeMode = scheme;
    return scheme;
  }

  /* Mantine's provider first sets the system's theme, and the chosen one only after Dash's first callbacks. An observer
     runs before the next painting, so the reader never sees the other theme. */
  new MutationObserver(() => {
    if (root.dataset.mantineColorScheme !== scheme) root.dataset.mantineColorScheme = scheme;
  }).observe(root, { attributeFilter: ["data-mantine-color-scheme"] });

  function save(theme) {
    try {
      window.localStorage.setItem("tickflow-theme", theme);
    } catch {
      /* without storage, the choice lasts until the page is closed */
    }
  }

  window.tickflow = { theme: { saved, set, save, asked } };
  set(saved());
  document.addEventListener("DOMContentLoaded", () => set(saved()));
})();
