//! The physical limit: the driver's own majority-acknowledged `update_one`, on the same server.

use std::time::{Duration, Instant};

use mongodb::{
    Collection,
    bson::{Document, doc, oid::ObjectId},
    options::WriteConcern,
};

use crate::{
    Bench,
    figures::{Samples, Table, ms},
    load::{CONNECTIONS, FIXED_RATE, Rate, at_fixed_rate, concurrently, sequentially},
};

/// What the board is compared with.
pub struct Bare {
    pub one: Samples,
    pub many: Rate,
    pub fixed: Samples,
}

async fn update(rows: Collection<Document>, id: ObjectId, n: usize) -> Duration {
    let begun = Instant::now();
    let set = doc! {"$set": {"form_data.motion_prompt": format!("人物转身 {n}")}};
    let update = rows.update_one(doc! {"_id": id}, set).write_concern(WriteConcern::majority());
    assert!(update.await.is_ok_and(|updated| updated.matched_count == 1), "a bare update failed");
    begun.elapsed()
}

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<Bare> {
    let rows = bench.mongodb.database(bench.database.name()).collection::<Document>("bare");
    let ids: Vec<ObjectId> = (0..CONNECTIONS).map(|_| ObjectId::new()).collect();
    let form = doc! {"camera_movement": "", "shot_type": "", "lighting": "", "motion_prompt": ""};
    rows.insert_many(ids.iter().map(|id| doc! {"_id": id, "form_data": &form})).await?;

    let one = sequentially(async |n| update(rows.clone(), ids[0], n).await).await;
    let many = concurrently(|connection, n| update(rows.clone(), ids[connection], n)).await;
    let fixed = at_fixed_rate(|connection, n| update(rows.clone(), ids[connection], n)).await;
    let figures = format!("p50 {}, p99 {}", ms(one.p50()), ms(one.p99()));
    table.row("bare update_one, 1 at a time", "–", figures);
    table.row(format!("bare update_one, {CONNECTIONS} at a time"), "–", many.to_string());
    let figures = format!("p50 {}, p99 {}", ms(fixed.p50()), ms(fixed.p99()));
    table.row(format!("bare update_one, {FIXED_RATE}/s"), "–", figures);
    Ok(Bare { one, many, fixed })
}
