/* Reviewing by keyboard, and pins put in order by dragging; every button works without it. */
"use strict";
(() => {
  const list = document.querySelector("[data-review]");
  const form = list && list.closest("form");
  if (!form || !form.querySelector(".ecomrec-review")) return;
  const cards = [...list.querySelectorAll("[data-item]")];
  const hint = form.querySelector("[data-keys]");
  if (hint) hint.hidden = false;

  const current = () => cards.indexOf(document.activeElement && document.activeElement.closest("[data-item]"));

  function go(by) {
    const at = current();
    const to = at < 0 ? (by > 0 ? 0 : cards.length - 1) : Math.min(Math.max(at + by, 0), cards.length - 1);
    if (cards[to]) cards[to].focus();
  }

  function press(scope, key) {
    const button = scope && [...scope.querySelectorAll("button[data-key]")].find((one) => one.dataset.key === key);
    if (button) button.click();
    return Boolean(button);
  }

  const writing = (target) => target.closest("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || writing(event.target)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    let done = true;
    if (event.altKey) {
      done = (key === "ArrowUp" || key === "ArrowDown") && press(cards[current()], key);
    } else if (key === "j") go(1);
    else if (key === "k") go(-1);
    else if (key === "n") done = press(form.querySelector(".ecomrec-review"), "n");
    else done = key.length === 1 && press(cards[current()], key);
    if (done) event.preventDefault();
  });

  /* The offer decided about is found again once the page is back. */
  const kept = "ecomrec-reviewed";
  form.addEventListener("submit", (event) => {
    const card = event.submitter && event.submitter.closest("[data-item]");
    if (card) sessionStorage.setItem(kept, card.dataset.item);
  });
  const before = sessionStorage.getItem(kept);
  sessionStorage.removeItem(kept);
  if (before !== null) {
    const card = cards.find((one) => one.dataset.item === before);
    if (card) card.focus();
  }

  if (!form.querySelector('button[name="pin"], button[name="up"]')) return;
  let dragged = null;
  for (const card of cards) {
    card.draggable = true;
    card.addEventListener("dragstart", (event) => {
      dragged = card;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", card.dataset.item);
      card.classList.add("ecomrec-dragged");
    });
    card.addEventListener("dragend", () => {
      dragged = null;
      card.classList.remove("ecomrec-dragged");
    });
    card.addEventListener("dragover", (event) => {
      if (dragged && dragged !== card) event.preventDefault();
    });
    card.addEventListener("drop", (event) => {
      event.preventDefault();
      if (dragged && dragged !== card) drop(card);
    });
  }

  /* What was dragged is pinned before the card it was dropped on, behind the pins that stand there already. */
  function drop(card) {
    const pins = cards.filter((one) => "pinned" in one.dataset && one !== dragged).map((one) => one.dataset.item);
    const before = pins.indexOf(card.dataset.item);
    const from = cards.indexOf(dragged);
    const at = before < 0 ? pins.length : before + (from < cards.indexOf(card) && "pinned" in dragged.dataset ? 1 : 0);
    pins.splice(at, 0, dragged.dataset.item);
    sessionStorage.setItem(kept, dragged.dataset.item);
    for (const item of pins) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "order";
      field.value = item;
      form.append(field);
    }
    form.submit();
  }
})();
