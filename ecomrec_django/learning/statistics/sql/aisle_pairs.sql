-- What is bought together with an aisle. probability: the share of the aisle's baskets, by weight, that hold the item;
-- baskets: how many do (the shares that count), of `aisle_baskets`, which hold `others` more items on average.
-- customers: at least so many different ones, as in pairs.sql.
WITH lines AS (
    SELECT
        basket,
        purchases.item AS item,
        aisle,
        share,
        CAST(weight AS FLOAT) AS weight,
        CAST(power(2, (abs(customer) * 7919) % 1000003 % 60) AS BIGINT) AS mark
    FROM purchases
    JOIN shelves ON shelves.item = purchases.item
),
sizes AS (
    SELECT basket, count(*) - 1 AS others
    FROM lines
    GROUP BY basket
),
visits AS (
    SELECT basket, aisle, max(share) AS share, max(weight) AS weight
    FROM lines
    GROUP BY basket, aisle
),
totals AS (
    SELECT aisle, sum(weight) AS weight, sum(share) AS baskets, sum(share * others) / sum(share) AS others
    FROM visits
    JOIN sizes ON sizes.basket = visits.basket
    GROUP BY aisle
),
together AS (
    SELECT
        visits.aisle AS aisle,
        lines.item AS item,
        sum(lines.share) AS baskets,
        sum(least(visits.weight, lines.weight)) AS weight,
        bit_count(bit_or(lines.mark)) AS customers
    FROM visits
    JOIN lines ON lines.basket = visits.basket AND lines.aisle <> visits.aisle
    GROUP BY visits.aisle, lines.item
    HAVING bit_count(bit_or(lines.mark)) >= (SELECT min_customers FROM parameters)
)
SELECT
    together.aisle AS aisle,
    together.item AS item,
    customers,
    together.baskets AS baskets,
    totals.baskets AS aisle_baskets,
    others,
    together.weight / totals.weight AS probability
FROM together
JOIN totals ON totals.aisle = together.aisle
ORDER BY together.aisle, together.item
