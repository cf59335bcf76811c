-- What was bought and kept: one row per basket and item.
-- A guest's basket is a customer of its own; lines without a basket are grouped by session, else by visitor and day.
-- weight: halved every `half_life` days before the newest purchase, less in a larger basket (each of its pairs says
-- less), and a customer's baskets with one item add up to that of `customer_bound` baskets at most.
WITH lines AS (
    SELECT
        event, visitor, item, price, time, kind, quantity,
        CASE
            WHEN basket <> '' THEN basket
            WHEN session <> '' THEN concat('session ', session)
            WHEN visitor <> 0 THEN concat('day ', CAST(CAST(time AS DATE) AS VARCHAR(10)))
            ELSE concat('event ', CAST(event AS VARCHAR(20)))
        END AS basket
    FROM history
    WHERE kind IN ('purchase', 'refund')
      AND time < (SELECT until FROM parameters)
),
-- A basket is known by its first event, a number: cheaper to join and count than its name.
baskets AS (
    SELECT visitor, basket, min(event) AS basket_key
    FROM lines
    GROUP BY visitor, basket
),
kept AS (
    SELECT
        baskets.basket_key AS basket,
        CASE WHEN lines.visitor <> 0 THEN lines.visitor ELSE -baskets.basket_key END AS customer,
        lines.item AS item,
        max(CASE WHEN kind = 'purchase' THEN lines.time END) AS time,
        max(CASE WHEN kind = 'purchase' THEN lines.price END) AS price
    FROM lines
    JOIN baskets ON lines.visitor = baskets.visitor AND lines.basket = baskets.basket
    GROUP BY baskets.basket_key, lines.visitor, lines.item
    HAVING sum(CASE WHEN kind = 'purchase' THEN quantity ELSE -quantity END) > 0
),
-- The lines of a huge basket that stay are spread over it, not those scanned first.
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY basket ORDER BY (item * 7919) % 1000003, item) AS place,
        count(*) OVER (PARTITION BY basket) AS size
    FROM kept
),
habits AS (
    SELECT customer, item, count(*) AS baskets
    FROM kept
    GROUP BY customer, item
    HAVING count(*) > (SELECT customer_bound FROM parameters)
)
SELECT
    ranked.basket, ranked.customer, ranked.item, ranked.price, ranked.time,
    power(0.5, (extract(EPOCH FROM (SELECT max(time) FROM kept)) - extract(EPOCH FROM ranked.time)) / (86400.0 * (SELECT half_life FROM parameters)))
        / log2(1 + least(size, (SELECT basket_size FROM parameters)))
        * coalesce((SELECT customer_bound FROM parameters) / habits.baskets, 1) AS weight
FROM ranked
LEFT JOIN habits ON habits.customer = ranked.customer AND habits.item = ranked.item
WHERE place <= (SELECT basket_size FROM parameters)
