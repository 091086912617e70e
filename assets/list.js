/* The watch list: its rows, in the grid and, on a narrow screen, as cards of a strip. */
(function () {
  "use strict";
  const { words } = window.tickflow;
  const STRIP_LENGTH = 60;
  const rows = new Map(); // by symbol
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);

  /* The symbols to choose from: those of the list, and one that has no tick yet. */
  function offer(more = null) {
    const known = [...rows.keys()];
    if (more && !rows.has(more)) known.unshift(more);
    setProps("symbol", { data: known });
  }

  function mark(symbol) {
    if (rows.has(symbol)) setProps("watch", { selectedRows: { ids: [symbol] } });
    for (const card of document.getElementById("strip")?.children || []) {
      const chosen = card.dataset.symbol === symbol;
      if (chosen && card.getAttribute("aria-pressed") !== "true") card.scrollIntoView({ block: "nearest", inline: "nearest" });
      card.setAttribute("aria-pressed", String(chosen));
    }
  }

  /* New rows of the watch list: for the grid, for the strip of a narrow screen, for the choice of symbols. */
  function take(news, symbol) {
    const add = news.filter((row) => !rows.has(row.symbol)), update = news.filter((row) => rows.has(row.symbol));
    news.forEach((row) => rows.set(row.symbol, row));
    if (add.length) offer(symbol);
    const strip = document.getElementById("strip");
    for (const row of news) {
      let card = [...strip.children].find((one) => one.dataset.symbol === row.symbol);
      if (!card && strip.children.length < STRIP_LENGTH) {
        card = document.createElement("button");
        card.type = "button";
        card.className = "card";
        card.dataset.symbol = row.symbol;
        card.append(...["card-symbol", "card-price", "card-change"].map((name) => {
          const part = document.createElement("span");
          part.className = name;
          return part;
        }));
        strip.append(card);
      }
      if (!card) continue;
      const [name, price, change] = card.children;
      name.textContent = row.symbol;
      price.textContent = words.price(row.price);
      change.textContent = words.change(row.change);
      change.className = `card-change ${row.change > 0 ? "up" : row.change < 0 ? "down" : ""}`;
    }
    if (add.length) setTimeout(() => mark(symbol), 100); // once the grid has the rows
    return { add, update, async: false };
  }

  Object.assign(window.tickflow, { watch: { rows, offer, mark, take } });
})();
