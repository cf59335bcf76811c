-- What was bought and kept: one row per basket and item.
-- A guest's basket is a customer of its own; lines without a basket are grouped by session, else by visitor and day.
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
    SELECT *, row_number() OVER (PARTITION BY basket ORDER BY (item * 7919) % 1000003, item) AS place
    FROM kept
)
SELECT
    basket, customer, item, price, time,
    power(0.5, (extract(EPOCH FROM (SELECT max(time) FROM kept)) - extract(EPOCH FROM time)) / (86400.0 * (SELECT half_life FROM parameters))) AS weight
FROM ranked
WHERE place <= (SELECT basket_size FROM parameters)
