-- How many visitors viewed each item: viewers and newcomers as in co_views.sql.
SELECT item, sum(regular) AS viewers, sum(1 - regular) AS newcomers
FROM (SELECT DISTINCT viewer, regular, item FROM views) AS viewed
GROUP BY item
ORDER BY item
