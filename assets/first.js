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

  function set(theme) {
    const scheme = theme === "auto" ? (asked.matches ? "dark" : "light") : theme;
    document.documentElement.dataset.mantineColorScheme = scheme;
    if (document.body) document.body.dataset.agThemeMode = scheme;
    return scheme;
  }

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
