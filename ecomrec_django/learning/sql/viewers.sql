-- How many visitors viewed each item.
SELECT
    item,
    count(DISTINCT CASE WHEN visitor <> 0 THEN CAST(visitor AS VARCHAR(20)) ELSE concat('session ', session) END) AS viewers
FROM history
WHERE kind = 'view_item'
  AND time < (SELECT until FROM parameters)
  AND (visitor <> 0 OR session <> '')
GROUP BY item
ORDER BY item
