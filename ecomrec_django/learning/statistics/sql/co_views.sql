-- In how many sessions (or a visitor's days, where there are none) two items were viewed; a visitor counts once.
-- viewers: regular ones, see views.sql · newcomers: all others.
WITH ranked AS (
    SELECT *, row_number() OVER (PARTITION BY session, viewer ORDER BY (item * 7919) % 1000003, item) AS place
    FROM views
),
kept AS (
    SELECT session, viewer, regular, item
    FROM ranked
    WHERE place <= (SELECT basket_size FROM parameters)
),
pairs AS (
    SELECT DISTINCT one.item AS anchor, other.item AS item, one.viewer AS viewer, one.regular AS regular
    FROM kept AS one
    JOIN kept AS other ON one.session = other.session AND one.viewer = other.viewer AND one.item <> other.item
)
SELECT anchor, item, sum(regular) AS viewers, sum(1 - regular) AS newcomers
FROM pairs
GROUP BY anchor, item
HAVING count(*) >= 2
ORDER BY anchor, item
