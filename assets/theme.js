/* The reader's colour theme, as `first.js` found it before anything was drawn. */
export const theme = window.tickflow.theme;
