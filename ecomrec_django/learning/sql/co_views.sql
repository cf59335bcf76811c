-- In how many sessions (or a visitor's days, where there are none) two items were viewed; a visitor counts once.
WITH views AS (
    SELECT DISTINCT
        CASE
            WHEN session <> '' THEN session
            ELSE concat(CAST(visitor AS VARCHAR(20)), ' ', CAST(CAST(time AS DATE) AS VARCHAR(10)))
        END AS session,
        CASE WHEN visitor <> 0 THEN CAST(visitor AS VARCHAR(20)) ELSE concat('session ', session) END AS viewer,
        item
    FROM history
    WHERE kind = 'view_item'
      AND time < (SELECT until FROM parameters)
      AND (visitor <> 0 OR session <> '')
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY session, viewer ORDER BY (item * 7919) % 1000003, item) AS place
    FROM views
),
kept AS (
    SELECT session, viewer, item
    FROM ranked
    WHERE place <= (SELECT basket_size FROM parameters)
)
SELECT one.item AS anchor, other.item AS item, count(DISTINCT one.viewer) AS viewers
FROM kept AS one
JOIN kept AS other ON one.session = other.session AND one.viewer = other.viewer AND one.item <> other.item
GROUP BY one.item, other.item
HAVING count(DISTINCT one.viewer) >= 2
ORDER BY anchor, item
