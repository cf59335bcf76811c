-- How much each item was bought: by how many customers, in how many baskets (the shares that count), and their weight.
-- others: how many more items its baskets hold, on average; weighted_others: by the baskets' weights.
WITH sizes AS (
    SELECT basket, count(*) - 1 AS others
    FROM purchases
    GROUP BY basket
)
SELECT
    item,
    count(DISTINCT customer) AS customers,
    sum(share) AS baskets,
    sum(weight) AS weight,
    sum(share * others) / sum(share) AS others,
    sum(weight * others) / sum(weight) AS weighted_others
FROM purchases
JOIN sizes ON sizes.basket = purchases.basket
GROUP BY item
ORDER BY item
