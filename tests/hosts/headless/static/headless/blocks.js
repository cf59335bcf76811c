document.querySelectorAll("[data-block]").forEach(async (place) => {
  const response = await fetch(place.dataset.block);
  if (response.ok) place.innerHTML = await response.text();
});
