-- Switches: visitors who viewed an item, and later that day (a guest: in that session) bought another and not the first.
-- The day and not the session, because orders that a shop hands over know no session.
WITH acts AS (
    SELECT
        CASE WHEN visitor <> 0 THEN CAST(visitor AS VARCHAR(20)) ELSE concat('session ', session) END AS viewer,
        CASE WHEN visitor <> 0 THEN CAST(CAST(time AS DATE) AS VARCHAR(10)) ELSE session END AS session,
        item, kind, time
    FROM history
    WHERE kind IN ('view_item', 'purchase')
      AND time < (SELECT until FROM parameters)
      AND (visitor <> 0 OR session <> '')
),
viewed AS (
    SELECT viewer, session, item, min(time) AS time
    FROM acts
    WHERE kind = 'view_item'
    GROUP BY viewer, session, item
),
bought AS (
    SELECT viewer, session, item, max(time) AS time
    FROM acts
    WHERE kind = 'purchase'
    GROUP BY viewer, session, item
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY viewer, session ORDER BY time DESC, item) AS place
    FROM viewed
),
left_behind AS (
    SELECT ranked.viewer, ranked.session, ranked.item, ranked.time
    FROM ranked
    LEFT JOIN bought
      ON bought.viewer = ranked.viewer AND bought.session = ranked.session AND bought.item = ranked.item
    WHERE bought.item IS NULL
      AND place <= (SELECT basket_size FROM parameters)
)
SELECT left_behind.item AS anchor, bought.item AS item, count(DISTINCT left_behind.viewer) AS switchers
FROM left_behind
JOIN bought
  ON bought.viewer = left_behind.viewer AND bought.session = left_behind.session AND bought.time >= left_behind.time
GROUP BY left_behind.item, bought.item
ORDER BY anchor, item
