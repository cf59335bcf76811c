-- What visitors did besides buying: the latest `acts` events of each.
WITH acts AS (
    SELECT
        visitor, item, kind, rating, time,
        row_number() OVER (PARTITION BY visitor ORDER BY time DESC, event DESC) AS place
    FROM history
    WHERE kind IN ('view_item', 'select_item', 'add_to_cart', 'remove_from_cart', 'review')
      AND visitor <> 0
      AND time < (SELECT until FROM parameters)
)
SELECT visitor, item, kind, rating, time
FROM acts
WHERE place <= (SELECT acts FROM parameters)
ORDER BY time, visitor, item, kind
