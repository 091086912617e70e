/* Starts Dash's renderer once its scripts have run; without the callbacks of `page.js` it is not started. */
import "./page.js";

window.beginDash();
