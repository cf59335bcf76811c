-- Who viewed what: a viewer's item counts once a session, or a visitor's day where there are no sessions.
-- regular: 1 for who came on several days or bought something; all others cost nothing to invent.
WITH regulars AS (
    SELECT visitor
    FROM history
    WHERE visitor <> 0
      AND time < (SELECT until FROM parameters)
    GROUP BY visitor
    HAVING min(CAST(time AS DATE)) < max(CAST(time AS DATE)) OR max(CASE WHEN kind = 'purchase' THEN 1 ELSE 0 END) = 1
)
SELECT DISTINCT
    CASE
        WHEN session <> '' THEN session
        ELSE concat(CAST(history.visitor AS VARCHAR(20)), ' ', CAST(CAST(time AS DATE) AS VARCHAR(10)))
    END AS session,
    CASE
        WHEN history.visitor <> 0 THEN CAST(history.visitor AS VARCHAR(20))
        ELSE concat('session ', session)
    END AS viewer,
    CASE WHEN regulars.visitor IS NULL THEN 0 ELSE 1 END AS regular,
    item
FROM history
LEFT JOIN regulars ON regulars.visitor = history.visitor
WHERE kind = 'view_item'
  AND time < (SELECT until FROM parameters)
  AND (history.visitor <> 0 OR session <> '')
