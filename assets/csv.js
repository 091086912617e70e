/* Rows as CSV (RFC 4180); text that a spreadsheet would take for a formula is prefixed with an apostrophe. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value) {
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The rows as one string. */
export const csv = (rows) => rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
