-- What was bought and kept: one row per basket and item. Lines at 0 are no evidence, unless all are. Lines without a
-- basket are grouped by session, else by visitor and day.
-- customer: a visitor. Guests who cannot be told apart count by slices of time, numbered from -1 downwards: of n orders
-- sqrt(n / guest_orders), so that no guest becomes several customers by ordering again.
-- share: of the basket that counts. A customer's baskets count as many as nine in ten customers have at most; one of
-- guests who cannot be told apart as much as their share of all baskets.
-- weight: the share, halved every `half_life` days before the newest purchase, less in a larger basket (each of its pairs
-- says less).
WITH prices AS (
    SELECT count(*) AS priced
    FROM history
    WHERE kind = 'purchase' AND price > 0
),
lines AS (
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
      AND (kind = 'refund' OR coalesce(price, 1) <> 0 OR (SELECT priced FROM prices) = 0)
),
-- A basket is known by its first event, a number: cheaper to join and count than its name.
baskets AS (
    SELECT visitor, basket, min(event) AS basket_key, min(time) AS time
    FROM lines
    GROUP BY visitor, basket
),
customers AS (
    SELECT visitor, count(*) AS baskets
    FROM baskets
    GROUP BY visitor
),
bounds AS (
    SELECT
        percentile_disc(0.9) WITHIN GROUP (ORDER BY CASE WHEN visitor <> 0 THEN baskets END) AS bound,
        sum(baskets) AS baskets
    FROM customers
),
guests AS (
    SELECT
        basket_key,
        row_number() OVER (ORDER BY time, basket_key) - 1 AS place,
        count(*) OVER () AS orders,
        greatest(floor(sqrt(count(*) OVER () / (SELECT guest_orders FROM parameters))), 1) AS slices
    FROM baskets
    WHERE visitor = 0
),
buyers AS (
    SELECT
        baskets.visitor, basket, baskets.basket_key,
        CASE
            WHEN baskets.visitor <> 0 THEN baskets.visitor
            ELSE -1 - CAST(floor(place * slices / orders) AS BIGINT)
        END AS customer,
        CASE
            WHEN baskets.visitor <> 0 THEN least(1e0 * (SELECT bound FROM bounds) / customers.baskets, 1)
            ELSE 1e0 * customers.baskets / (SELECT baskets FROM bounds)
        END AS share
    FROM baskets
    JOIN customers ON customers.visitor = baskets.visitor
    LEFT JOIN guests ON guests.basket_key = baskets.basket_key
),
kept AS (
    SELECT
        buyers.basket_key AS basket,
        buyers.customer AS customer,
        buyers.share AS share,
        lines.item AS item,
        max(CASE WHEN kind = 'purchase' THEN lines.time END) AS time,
        max(CASE WHEN kind = 'purchase' THEN lines.price END) AS price
    FROM lines
    JOIN buyers ON lines.visitor = buyers.visitor AND lines.basket = buyers.basket
    GROUP BY buyers.basket_key, buyers.customer, buyers.share, lines.item
    HAVING sum(CASE WHEN kind = 'purchase' THEN quantity ELSE -quantity END) > 0.00001
),
-- The lines of a huge basket that stay are spread over it, not those scanned first.
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY basket ORDER BY (item * 7919) % 1000003, item) AS place,
        count(*) OVER (PARTITION BY basket) AS size
    FROM kept
)
SELECT
    basket, customer, item, price, time, share,
    power(0.5, (extract(EPOCH FROM (SELECT max(time) FROM kept)) - extract(EPOCH FROM time)) / (86400.0 * (SELECT half_life FROM parameters)))
        / log2(1 + least(size, (SELECT basket_size FROM parameters)))
        * share AS weight
FROM ranked
WHERE place <= (SELECT basket_size FROM parameters)
