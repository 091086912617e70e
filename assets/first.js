/* Runs before the page is drawn: the reader's theme, so that nothing flashes in the other one. */
(() => {
  const asked = window.matchMedia("(prefers-color-scheme: dark)");

  const known = (theme) => (theme === "light" || theme === "dark" ? theme : "auto");

  function saved() {
    try {
      const theme = window.localStorage.getItem("tickflow-theme");
      if (theme !== null) return known(theme);
    } catch {
      /* a browser that keeps nothing */
    }
    return known(new URLSearchParams(window.location.search).get("theme")); // a link's counts for who chose none
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
      /* then it holds until the page is left */
    }
  }

  window.tickflow = { scheme: { saved, set, save, asked } };
  set(saved());
  document.addEventListener("DOMContentLoaded", () => set(saved()));
})();
