-- The events that may be learned from, each under the person it is of: a cookie's history belongs to the account it has
-- joined, and what came before a visitor's `excluded_until` is left out.
SELECT
    event,
    coalesce(visitors.person, events.visitor) AS visitor,
    item, kind, quantity, price, rating, time, basket, session
FROM events
LEFT JOIN visitors ON visitors.visitor = events.visitor
WHERE visitors.excluded_until IS NULL
   OR time >= visitors.excluded_until
