-- How often two items were bought in one basket, both ways round, the strongest partners of each item. orders: baskets
-- with both; baskets: the shares of them that count.
-- customers: at least so many different ones. Each sets one of 60 bits, which takes no memory per customer; two that
-- share a bit count as one. Small numbers stand for items: a quick key.
WITH items AS (
    SELECT item, CAST(row_number() OVER (ORDER BY item) AS INTEGER) AS number
    FROM purchases
    GROUP BY item
    HAVING count(*) >= (SELECT min_baskets FROM parameters)
),
lines AS (
    SELECT
        basket,
        number,
        share,
        CAST(weight AS FLOAT) AS weight,
        CAST(power(2, (abs(customer) * 7919) % 1000003 % 60) AS BIGINT) AS mark
    FROM purchases
    JOIN items ON items.item = purchases.item
),
pairs AS (
    SELECT
        one.number AS a,
        other.number AS b,
        count(*) AS orders,
        sum(one.share) AS baskets,
        sum(least(one.weight, other.weight)) AS weight,
        bit_count(bit_or(one.mark)) AS customers
    FROM lines AS one
    JOIN lines AS other ON one.basket = other.basket AND one.number < other.number
    GROUP BY one.number, other.number
    HAVING count(*) >= (SELECT min_baskets FROM parameters)
),
-- One pass over the pairs for both directions.
directed AS (
    SELECT
        CASE way WHEN 0 THEN a ELSE b END AS one,
        CASE way WHEN 0 THEN b ELSE a END AS other,
        customers, orders, baskets, weight
    FROM pairs
    CROSS JOIN (SELECT 0 AS way UNION ALL SELECT 1 AS way) AS ways
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY one ORDER BY weight DESC, other) AS place
    FROM directed
)
SELECT anchors.item AS anchor, partners.item AS item, customers, orders, baskets, weight
FROM ranked
JOIN items AS anchors ON anchors.number = ranked.one
JOIN items AS partners ON partners.number = ranked.other
WHERE place <= (SELECT partners FROM parameters)
