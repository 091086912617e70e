/* The facts that both server and browser need, declared once in Python (`drawing/facts.py`). */
export const facts = JSON.parse(document.getElementById("facts").textContent);
