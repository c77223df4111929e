//! A rollout's journal: numbered pages, and the planner's markers beside them.

use serde_json::Value;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::journal::Page;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Item, Query, Store, Table, Write};

/// Sorts before the pages, so that "after page n" never meets a marker.
const MARKERS: &str = "mark#";
const PAGES: &str = "page#";

fn page_sort(number: u32) -> String {
    format!("{PAGES}{number:010}")
}

fn number(item: &Item, prefix: &str) -> Option<u32> {
    item.get("n").and_then(Value::as_str)?.strip_prefix(prefix)?.parse().ok()
}

fn put(rollout: &RolloutId, sort: String, page: &Page) -> Write {
    let item = codec::write(page, [("rollout_id", rollout.as_str().into()), ("n", sort.into())]);
    Write::Put { table: Table::RolloutJournal, item, condition: Condition::Absent }
}

/// Appends page `number`; refused where another has it.
pub fn append(rollout: &RolloutId, number: u32, page: &Page) -> Write {
    put(rollout, page_sort(number), page)
}

/// The number of the last page; 0 where there is none.
pub async fn last(store: &dyn Store, rollout: &RolloutId) -> Result<u32, EngineError> {
    let query = Query { descending: true, limit: Some(1), ..Query::partition(Table::RolloutJournal, rollout.as_str()) };
    let page = store.query(&query).await?;
    Ok(page.items.first().and_then(|item| number(item, PAGES)).unwrap_or(0))
}

/// Every page after `cursor`, in order.
pub async fn after(store: &dyn Store, rollout: &RolloutId, cursor: u32) -> Result<Vec<(u32, Page)>, EngineError> {
    let mut pages = Vec::new();
    let mut after = Some(page_sort(cursor));
    while after.is_some() {
        let query = Query { after, ..Query::partition(Table::RolloutJournal, rollout.as_str()) };
        let found = store.query(&query).await?;
        for item in found.items {
            if let Some(number) = number(&item, PAGES) {
                pages.push((number, codec::read(Table::RolloutJournal, item)?));
            }
        }
        after = found.next;
    }
    Ok(pages)
}

/// Marks a page of the plan as assigned, with the planned rows as a journal page would count them. The first mark stays.
pub fn mark(rollout: &RolloutId, plan_page: u32, planned: &Page) -> Write {
    put(rollout, format!("{MARKERS}{plan_page:010}"), planned)
}

/// Every mark: the plan's page, and its rows.
pub async fn marks(store: &dyn Store, rollout: &RolloutId) -> Result<Vec<(u32, Page)>, EngineError> {
    let mut marks = Vec::new();
    let mut query =
        Query { prefix: Some(MARKERS.to_owned()), ..Query::partition(Table::RolloutJournal, rollout.as_str()) };
    loop {
        let found = store.query(&query).await?;
        for item in found.items {
            match number(&item, MARKERS) {
                Some(number) => marks.push((number, codec::read(Table::RolloutJournal, item)?)),
                // The first page: no marker follows.
                None => return Ok(marks),
            }
        }
        match found.next {
            None => return Ok(marks),
            Some(next) => query = Query { after: Some(next), prefix: None, ..query },
        }
    }
}
