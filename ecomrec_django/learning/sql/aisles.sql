-- What is bought beside an aisle: chance is the share of the aisle's baskets, by weight, that hold the item as well.
-- customers: at least so many different ones, as in pairs.sql.
WITH lines AS (
    SELECT
        basket,
        purchases.item AS item,
        aisle,
        CAST(weight AS FLOAT) AS weight,
        CAST(power(2, (abs(customer) * 7919) % 1000003 % 60) AS BIGINT) AS mark
    FROM purchases
    JOIN shelves ON shelves.item = purchases.item
),
visits AS (
    SELECT basket, aisle, max(weight) AS weight
    FROM lines
    GROUP BY basket, aisle
),
totals AS (
    SELECT aisle, sum(weight) AS weight
    FROM visits
    GROUP BY aisle
),
beside AS (
    SELECT
        visits.aisle AS aisle,
        lines.item AS item,
        sum(least(visits.weight, lines.weight)) AS weight,
        bit_count(bit_or(lines.mark)) AS customers
    FROM visits
    JOIN lines ON lines.basket = visits.basket AND lines.aisle <> visits.aisle
    GROUP BY visits.aisle, lines.item
    HAVING bit_count(bit_or(lines.mark)) >= (SELECT min_customers FROM parameters)
)
SELECT beside.aisle AS aisle, beside.item AS item, customers, beside.weight / totals.weight AS chance
FROM beside
JOIN totals ON totals.aisle = beside.aisle
ORDER BY beside.aisle, beside.item
