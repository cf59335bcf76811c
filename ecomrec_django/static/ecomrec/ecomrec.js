// Tells the shop which of its offers came into view and which were clicked, and which product page was opened.
// It needs nothing, reads and writes no cookie and no storage, and runs no code from the page.
(() => {
  const script = document.currentScript;
  // Turbo runs the script of each page anew: the first one goes on. A browser that asks for privacy is left alone.
  if (window.ecomrecStarted || navigator.globalPrivacyControl || navigator.doNotTrack === "1") return;
  window.ecomrecStarted = true;

  const BLOCK = "data-ecomrec-block", OFFER = "data-ecomrec-offer", VIEW = "data-ecomrec-view";
  const VIEWS = `[${VIEW}],script[data-url][data-view]`;
  const SECOND = 1000;
  let reports = [], seen = new Map(), sending = 0;

  const send = () => {
    clearTimeout(sending);
    sending = 0;
    seen.forEach((places, block) => reports.push({ block, seen: places }));
    while (reports.length) {
      // So few that their tokens stay within what the shop reads at once.
      const body = JSON.stringify({ reports: reports.splice(0, 10) });
      const type = "application/json", url = script.dataset.url;
      if (!navigator.sendBeacon(url, new Blob([body], { type })))
        fetch(url, { method: "POST", body, keepalive: true, headers: { "Content-Type": type } }).catch(() => {});
    }
    seen = new Map();
  };
  const soon = () => { sending = sending || setTimeout(send, 2 * SECOND); };

  // Offers: the token and place that each element stands for, and the timers of those in view.
  const watched = new Map(), timers = new Map(), done = new Set();
  const block = (offer) => offer.closest(`[${BLOCK}]`).getAttribute(BLOCK);
  const place = (offer) => Number(offer.getAttribute(OFFER));

  const stop = (offer) => {
    clearTimeout(timers.get(offer));
    timers.delete(offer);
  };
  const forget = (offer) => {
    stop(offer);
    sight.unobserve(offer);
    watched.delete(offer);
  };
  const saw = (offer) => {
    const token = block(offer);
    done.add(watched.get(offer));
    forget(offer);
    seen.set(token, [...(seen.get(token) || []), place(offer)]);
    soon();
  };
  const sight = new IntersectionObserver((changes) => changes.forEach(({ target, intersectionRatio }) => {
    stop(target);
    if (intersectionRatio >= 0.5 && watched.has(target)) timers.set(target, setTimeout(saw, SECOND, target));
  }), { threshold: 0.5 });

  // Product pages: the token of each element, and where it came into the page. A page that the shop has recorded is
  // reported only if the browser had stored it.
  const viewed = new WeakMap(), visit = performance.getEntriesByType("navigation")[0] || {};
  let stored = visit.decodedBodySize && !visit.transferSize;
  const report = (token) => {
    const id = [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
    reports.push({ view: token, id });
    soon();
  };
  const view = (element) => {
    const token = element.getAttribute(VIEW) || element.dataset.view;
    if (!token || (viewed.get(element) || {}).token === token) return;
    viewed.set(element, { token, at: location.href });
    if (stored || !("recorded" in element.dataset)) report(token);
  };
  const back = ({ persisted }) => document.querySelectorAll(VIEWS).forEach((element) => {
    const known = viewed.get(element);
    if (persisted && known && known.at === location.href) report(known.token);
  });

  // What the page holds now, whoever put it there.
  const look = () => {
    watched.forEach((key, offer) => offer.isConnected || forget(offer));
    if (!document.hidden) {
      document.querySelectorAll(VIEWS).forEach(view);
      stored = false;
    }
    document.querySelectorAll(`[${BLOCK}] [${OFFER}]`).forEach((offer) => {
      const key = `${block(offer)} ${place(offer)}`;
      if (watched.get(offer) === key) return;
      forget(offer);
      if (done.has(key)) return;
      watched.set(offer, key);
      sight.observe(offer);
    });
  };

  const click = ({ target, button }) => {
    const pressed = button < 2 && target.closest && target.closest("a,button,input,[role=button]");
    const offer = pressed && pressed.closest(`[${BLOCK}] [${OFFER}]`);
    if (!offer) return;
    reports.push({ block: block(offer), clicked: place(offer) });
    send();
  };

  const start = () => {
    look();
    new MutationObserver(look).observe(document, {
      childList: true, subtree: true, attributeFilter: [BLOCK, OFFER, VIEW],
    });
    addEventListener("click", click, true);
    addEventListener("auxclick", click, true);
    addEventListener("pagehide", send);
    addEventListener("pageshow", back);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        timers.forEach((timer, offer) => stop(offer));
        send();
      } else {
        look();
        // Asks anew which offers are in view.
        watched.forEach((key, offer) => { sight.unobserve(offer); sight.observe(offer); });
      }
    });
  };
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
