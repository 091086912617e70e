/* What the server and the browser both have to know, declared once in Python (`drawing/facts.py`). */
export const facts = JSON.parse(document.getElementById("facts").textContent);
