import { useEffect, useRef, useState } from "react";

export function Offers({ shop, slot, item, onOpen }) {
  const [block, setBlock] = useState({ offers: [] });
  useEffect(() => {
    let current = true;
    shop.block(slot, item).then((answer) => current && setBlock(answer));
    return () => { current = false; };
  }, [shop, slot, item]);
  if (!block.offers.length) return null;
  return (
    <section aria-label={block.title}>
      <h2>{block.title}</h2>
      <ul>
        {block.offers.map((offer, index) => (
          <Card key={`${block.token} ${offer.item}`} {...{ shop, offer, onOpen }} block={block.token} place={index + 1} />
        ))}
      </ul>
    </section>
  );
}

function Card({ shop, offer, block, place, onOpen }) {
  const card = useRef(null);
  useEffect(() => {
    let timer = 0;
    // Seen is what was at least half in view for a second.
    const observer = new IntersectionObserver((entries) => {
      clearTimeout(timer);
      // A busy browser hands over several changes at once, the latest last.
      if (entries.at(-1).intersectionRatio >= 0.5) timer = setTimeout(() => shop.seen(block, place), 1000);
    }, { threshold: 0.5 });
    observer.observe(card.current);
    return () => { clearTimeout(timer); observer.disconnect(); };
  }, [shop, block, place]);
  const open = (event) => {
    event.preventDefault();
    shop.clicked(block, place);
    onOpen(offer.item);
  };
  return (
    <li ref={card}>
      <a href={offer.url} onClick={open}>{offer.title}</a>
      {offer.image && <img src={offer.image} alt="" width="96" height="96" />}
      {offer.brand && <p>{offer.brand}</p>}
      <p>{offer.price_text} {offer.price_difference_text && <small>({offer.price_difference_text})</small>}</p>
      {offer.rating !== null && <p>{offer.rating.toFixed(1)} stars</p>}
      {offer.stock !== null && offer.stock < 6 && <p>Only {offer.stock} left</p>}
      {offer.reason && <p>{offer.reason}</p>}
    </li>
  );
}
