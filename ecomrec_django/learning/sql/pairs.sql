-- How often two items were bought in one basket, both ways round, the strongest partners of each item.
-- A customer counts once in `customers`, and with at most `customer_bound` baskets in `baskets` and `weight`.
-- Items with fewer customers than a pair needs are left out first; small numbers stand for items: both make it quick.
WITH items AS (
    SELECT item, CAST(row_number() OVER (ORDER BY item) AS BIGINT) AS number
    FROM purchases
    GROUP BY item
    HAVING count(DISTINCT customer) >= (SELECT min_customers FROM parameters)
),
lines AS (
    SELECT basket, customer, number, CAST(weight AS FLOAT) AS weight
    FROM purchases
    JOIN items ON items.item = purchases.item
),
together AS (
    SELECT
        one.customer,
        one.number * 2147483648 + other.number AS pair,
        count(*) AS baskets,
        sum(one.weight) AS weight
    FROM lines AS one
    JOIN lines AS other ON one.basket = other.basket AND one.number < other.number
    GROUP BY one.customer, one.number * 2147483648 + other.number
),
pairs AS (
    SELECT
        pair,
        count(*) AS customers,
        sum(least(CAST(baskets AS DOUBLE), (SELECT customer_bound FROM parameters))) AS baskets,
        sum(least(weight, (SELECT customer_bound FROM parameters))) AS weight
    FROM together
    GROUP BY pair
    HAVING count(*) >= (SELECT min_customers FROM parameters)
),
named AS (
    SELECT one.item AS a, other.item AS b, customers, baskets, weight
    FROM pairs
    JOIN items AS one ON one.number = CAST(floor(pair / 2147483648) AS BIGINT)
    JOIN items AS other ON other.number = pair % 2147483648
),
directed AS (
    SELECT a AS anchor, b AS item, customers, baskets, weight FROM named
    UNION ALL
    SELECT b AS anchor, a AS item, customers, baskets, weight FROM named
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY anchor ORDER BY weight DESC, item) AS place
    FROM directed
)
SELECT anchor, item, customers, baskets, weight
FROM ranked
WHERE place <= (SELECT partners FROM parameters)
ORDER BY anchor, place
