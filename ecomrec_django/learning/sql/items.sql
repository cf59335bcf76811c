-- How much each item was bought: by how many customers, in how many baskets, and their weight.
SELECT item, count(DISTINCT customer) AS customers, count(*) AS baskets, sum(weight) AS weight
FROM purchases
GROUP BY item
ORDER BY item
