-- The events that may be learned from, each under the person it is of: a cookie's history belongs to the account it has
-- joined. Left out are what came before a visitor's `excluded_until`, and what nobody chose: the components of a kit,
-- fees and the like. The history of a product that another has taken the place of is that one's.
SELECT
    event,
    coalesce(visitors.person, events.visitor) AS visitor,
    coalesce(successors.successor, events.item) AS item,
    kind, quantity, price, rating, time, basket, session
FROM events
LEFT JOIN visitors ON visitors.visitor = events.visitor
LEFT JOIN successors ON successors.item = events.item
WHERE (visitors.excluded_until IS NULL OR time >= visitors.excluded_until)
  AND NOT component
  AND coalesce(successors.successor, events.item) NOT IN (SELECT item FROM unsellable)
