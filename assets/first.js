/* Runs before the page is drawn: the reader's theme, so that nothing flashes in the other one. */
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
    // the link names the theme; the reader has not chosen one
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

  window.tickflow = { scheme: { saved, set, save, asked } };
  set(saved());
  document.addEventListener("DOMContentLoaded", () => set(saved()));
})();
