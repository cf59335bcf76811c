-- How much each item was bought: by how many customers, in how many baskets (a customer's at most `customer_bound`).
WITH bought AS (
    SELECT customer, item, count(*) AS baskets, sum(weight) AS weight
    FROM purchases
    GROUP BY customer, item
)
SELECT
    item,
    count(*) AS customers,
    sum(least(CAST(baskets AS DOUBLE), (SELECT customer_bound FROM parameters))) AS baskets,
    sum(least(weight, (SELECT customer_bound FROM parameters))) AS weight
FROM bought
GROUP BY item
ORDER BY item
