import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { Offers } from "./offers.jsx";
import { Recommendations } from "./recommendations.js";

const query = new URLSearchParams(location.search);
const api = query.get("api");
let access = localStorage.getItem("access") || "";
const shop = new Recommendations(`${api}/ecomrec`, () => access);

function App() {
  const [item, setItem] = useState(query.get("item"));
  const [asking, setAsking] = useState(!shop.answered);
  const [account, setAccount] = useState(access);
  const answer = async (yes) => {
    await shop.agree(yes);
    setAsking(false);
  };
  const login = async (event) => {
    event.preventDefault();
    const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`${api}/api/token/`, { method: "POST", headers, body });
    access = (await response.json()).access;
    localStorage.setItem("access", access);
    setAccount(access);
  };
  const logout = async () => {
    access = "";
    localStorage.removeItem("access");
    await shop.loggedOut();
    setAccount("");
  };
  // Offers depend on who asks: they are loaded again once that changes.
  const shopper = `${account} ${asking}`;
  return (
    <main>
      {asking && (
        <section aria-label="Consent">
          <p>May we remember what you look at, to show you better offers?</p>
          <button onClick={() => answer(true)}>Agree</button> <button onClick={() => answer(false)}>No, thanks</button>
        </section>
      )}
      <Product key={`${item} ${shopper}`} item={item} />
      <Offers key={`offers ${shopper}`} shop={shop} slot="product" item={item} onOpen={setItem} />
      {account ? <button onClick={logout}>Log out</button> : <Login onSubmit={login} />}
      <PersonalData key={`data ${shopper}`} />
    </main>
  );
}

function Product({ item }) {
  const [product, setProduct] = useState(null);
  useEffect(() => {
    let current = true;
    fetch(`${api}/api/products/${encodeURIComponent(item)}/`).then((answer) => answer.json()).then((answer) => {
      if (!current) return;
      setProduct(answer);
      shop.viewed(answer.view_token);
    });
    return () => { current = false; };
  }, [item]);
  return <h1>{product ? product.title : "…"}</h1>;
}

function Login({ onSubmit }) {
  return (
    <form onSubmit={onSubmit}>
      <label>User name <input name="username" /></label> <label>Password <input name="password" type="password" /></label>{" "}
      <button>Log in</button>
    </form>
  );
}

function PersonalData() {
  const [data, setData] = useState(null);
  return (
    <section aria-label="My data">
      <button onClick={async () => setData(await shop.personalData())}>What do you know about me?</button>
      {data && <output data-export={JSON.stringify(data)}>{data.events.length} events, {data.impressions.length} offers seen</output>}
    </section>
  );
}

shop.start().finally(() => createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>));
