// Requests to the shop's API, for a front end that cannot use cookies.
const answer = () => localStorage.getItem("ecomrec.consent") || "";
const visitor = () => localStorage.getItem("ecomrec.visitor") || "";

export class Recommendations {
  // base: address of the endpoints; account: returns the access token of a customer who is logged in.
  constructor(base, account = () => "") {
    this.base = base;
    this.account = account;
    this.places = new Map();
    this.reported = new Set();
    addEventListener("pagehide", () => this.flush());
  }

  get answered() {
    return answer() !== "";
  }

  headers() {
    const headers = { "Content-Type": "application/json" };
    if (this.account()) headers.Authorization = `Bearer ${this.account()}`;
    if (answer()) headers["X-Ecomrec-Consent"] = answer();
    if (visitor()) headers["X-Ecomrec-Visitor"] = visitor();
    return headers;
  }

  request(path, method = "GET", body = undefined) {
    const options = { method, headers: this.headers(), body: body && JSON.stringify(body), keepalive: method === "POST" };
    return fetch(`${this.base}/${path}`, options);
  }

  // Call it when the app starts, and after logging in or out.
  async start() {
    if (answer() !== "yes") return;
    const response = await this.request("api/visitor/", "POST");
    if (response.ok) localStorage.setItem("ecomrec.visitor", (await response.json()).visitor);
  }

  async agree(yes) {
    localStorage.setItem("ecomrec.consent", yes ? "yes" : "no");
    await this.request("api/consent/", "POST", { agree: yes });
    if (yes) await this.start();
    else localStorage.removeItem("ecomrec.visitor");
  }

  // The next guest of this browser may be another person.
  async loggedOut() {
    localStorage.removeItem("ecomrec.visitor");
    await this.start();
  }

  // Everything stored about this shopper.
  async personalData() {
    return (await this.request("api/me/")).json();
  }

  async block(slot, item) {
    const response = await this.request(`api/slots/${slot}/?item=${encodeURIComponent(item)}`);
    return response.ok ? response.json() : { offers: [] };
  }

  // Nothing is reported before the shopper agrees.
  report(...reports) {
    if (answer() === "yes") return this.request("beacon/", "POST", { reports }).catch(() => {});
  }

  viewed(token) {
    this.report({ view: token, id: crypto.randomUUID().replaceAll("-", "") });
  }

  clicked(block, place) {
    this.report({ block, clicked: place });
  }

  // Offers that came into view are reported together.
  seen(block, place) {
    const key = `${block} ${place}`;
    if (answer() !== "yes" || this.reported.has(key)) return;
    this.reported.add(key);
    this.places.set(block, [...(this.places.get(block) || []), place]);
    this.timer ||= setTimeout(() => this.flush(), 2000);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    const reports = [...this.places].map(([block, seen]) => ({ block, seen }));
    this.places.clear();
    if (reports.length) this.report(...reports);
  }
}
