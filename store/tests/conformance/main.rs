//! One suite of promises, stamped on every engine.
//!
//! A promise is a function in one of the modules below, named as what it proves, over a [`Fixture`]: a store nobody
//! has claimed yet. `conformance_suite!` makes a module of tests of it for an engine, given how to make a fixture;
//! `None` from there means that the engine's server is not at hand, and the test says so and passes.
//!
//! `cargo xtask test` starts the servers and says where they are.

mod concurrency;
#[path = "../support/databases.rs"]
mod databases;
mod erasing;
mod fixture;
mod log;
mod meta;
mod model;
mod reading;
mod scanning;
#[path = "../support/skipped.rs"]
mod skipped;
mod store;
mod writing;

use databases::Engine;
use fixture::Fixture;
use meta::MetaFixture;

/// Stamps the suite: `conformance_suite!(name, async expression of Option<Fixture>)`.
macro_rules! conformance_suite {
    ($engine:ident, $make:expr) => {
        conformance_suite! { @stamp $engine, $make,
            reading::get_returns_one_answer_per_key_in_order,
            reading::get_answers_a_key_asked_for_twice_twice,
            reading::get_of_nothing_is_nothing,
            reading::latest_returns_the_highest_ref_key,
            reading::latest_at_most_returns_the_highest_up_to_it,
            reading::latest_answers_one_chain_under_several_bounds,
            reading::many_keys_are_answered_in_one_call,
            reading::lists_of_every_length_are_answered,
            reading::keys_that_differ_in_a_byte_are_different_cells,
            reading::a_body_comes_back_byte_for_byte,
            reading::large_bodies_are_answered_among_small_ones,
            reading::an_answer_is_bounded_in_bytes,
            reading::versions_and_short_bodies_are_answered_however_long_the_others_are,
            reading::ref_keys_are_signed_64_bit_numbers,
            reading::a_missing_table_is_told_by_every_method,
            writing::a_new_cell_is_stored_with_its_place,
            writing::the_same_bytes_again_are_not_new,
            writing::other_bytes_conflict_and_leave_the_first,
            writing::appending_an_existing_triple_conflicts_even_with_the_same_bytes,
            writing::a_retry_with_its_own_token_is_stored_at_the_same_place,
            writing::a_retry_of_an_append_is_stored_at_the_same_place,
            writing::a_retry_of_a_group_answers_what_the_first_attempt_did,
            writing::a_group_stands_or_falls_as_a_whole,
            writing::a_group_may_write_to_several_tables_and_shards,
            writing::a_failing_group_does_not_fail_its_neighbours,
            writing::equal_triples_in_one_call_settle_first_wins,
            writing::equal_appends_in_one_call_settle_first_wins,
            writing::many_groups_fit_in_one_call,
            writing::a_put_of_nothing_is_nothing,
            writing::a_stale_epoch_writes_nothing,
            writing::ids_ascend_and_carry_the_cluster_number,
            writing::times_ascend_strictly_from_call_to_call,
            scanning::rows_come_in_key_order_in_both_directions,
            scanning::rows_are_bounded_by_ref_key,
            scanning::rows_of_some_columns_only,
            scanning::rows_of_chains,
            scanning::pages_of_rows_join_to_the_whole_in_both_directions,
            scanning::a_page_may_start_behind_a_cell_that_is_not_there,
            scanning::a_scan_without_limit_ends,
            scanning::large_bodies_are_paged,
            scanning::an_empty_set_has_no_rows,
            scanning::a_scan_up_to_the_head_ends_though_each_of_its_cells_is_followed_by_another,
            log::the_log_of_a_shard_is_in_the_order_of_writing,
            log::the_log_of_several_shards_is_by_shard_then_id,
            log::shards_that_were_not_asked_for_are_left_out,
            log::pages_of_the_log_join_to_the_whole,
            log::added_after_leaves_out_what_is_known,
            log::created_from_leaves_out_what_is_older,
            log::a_time_is_found_in_a_long_log,
            log::the_log_of_some_columns_only,
            log::a_duplicate_is_not_in_the_log_twice,
            erasing::an_erased_cell_has_no_body_and_is_in_no_scan,
            erasing::an_erased_slot_can_never_be_written_again,
            erasing::an_erased_newest_version_does_not_free_its_ref_key,
            erasing::ids_are_not_reused_after_the_newest_is_erased,
            erasing::a_column_or_a_row_is_erased_as_a_whole_and_nothing_else,
            erasing::erasing_twice_counts_once,
            erasing::a_retry_of_an_erased_write_is_still_stored,
            erasing::an_erasure_in_steps_goes_on_behind_the_last_and_erases_all,
            erasing::an_erasure_up_to_an_id_leaves_what_was_written_later,
            erasing::a_step_passes_by_what_is_erased_already,
            erasing::a_step_under_a_stale_epoch_erases_nothing,
            erasing::an_erasure_under_a_stale_epoch_erases_nothing,
            store::a_fresh_store_has_no_identity,
            store::a_claim_is_idempotent_and_the_first_wins,
            store::racing_claims_agree,
            store::a_claimed_store_says_what_it_owns,
            store::many_shards_can_be_claimed,
            store::raise_epoch_is_compare_and_set,
            store::its_tables_of_cells_are_listed,
            store::creating_a_table_twice_keeps_its_cells,
            store::dropping_a_table_twice_is_one_drop,
            store::a_table_created_again_under_another_id_is_empty,
            store::a_ping_comes_back,
            concurrency::a_log_reader_sees_every_acknowledged_cell_once_and_in_order,
            concurrency::racing_appends_have_one_winner_per_version,
            concurrency::racing_puts_of_one_triple_store_it_once,
            concurrency::a_batch_of_keys_is_never_torn,
            concurrency::a_batch_of_very_many_keys_is_never_torn,
            concurrency::after_the_epoch_is_raised_no_old_write_succeeds,
        }
        conformance_model! { $engine, $make }
    };
    (@stamp $engine:ident, $make:expr, $($module:ident::$promise:ident,)+) => {
        mod $engine {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    match $make.await {
                        Some(fixture) => super::$module::$promise(fixture).await,
                        None => skipped::skipped(&format!("no server for {}", stringify!($engine))),
                    }
                }
            )+
        }
    };
}

/// Stamps the comparison with the model.
macro_rules! conformance_model {
    ($engine:ident, $make:expr) => {
        #[test]
        fn $engine() {
            model::compare(async { $make.await });
        }
    };
}

/// Stamps the promises of a meta store: `meta_suite!(name, async expression of Option<MetaFixture>)`.
macro_rules! meta_suite {
    ($engine:ident, $make:expr) => {
        conformance_suite! { @stamp $engine, $make,
            meta::a_fresh_meta_store_does_not_exist,
            meta::creating_a_meta_store_twice_keeps_its_documents,
            meta::a_document_comes_back_with_its_version,
            meta::a_change_under_another_version_changes_nothing,
            meta::documents_are_listed_by_prefix_and_name,
            meta::a_document_is_removed_at_its_version_only,
            meta::racing_changes_have_one_winner,
            meta::the_clock_is_the_time_of_day_and_goes_on,
        }
    };
}

conformance_suite!(memory, async { Some(Fixture::memory()) });
conformance_suite!(memory_coalescing, async { Some(Fixture::memory().coalescing()) });
conformance_suite!(sqlite, async { Some(Fixture::sqlite()) });
meta_suite!(sqlite_meta, async { Some(MetaFixture::sqlite()) });
conformance_suite!(mariadb, async { Fixture::server(Engine::MariaDb) });
conformance_suite!(mariadb_coalescing, async { Fixture::server(Engine::MariaDb).map(Fixture::coalescing) });
conformance_suite!(mysql, async { Fixture::server(Engine::Mysql) });
conformance_suite!(mysql_coalescing, async { Fixture::server(Engine::Mysql).map(Fixture::coalescing) });
conformance_suite!(postgres_coalescing, async { Fixture::server(Engine::Postgres).map(Fixture::coalescing) });
conformance_suite!(postgres, async { Fixture::server(Engine::Postgres) });
meta_suite!(mariadb_meta, async { MetaFixture::server(Engine::MariaDb) });
meta_suite!(mysql_meta, async { MetaFixture::server(Engine::Mysql) });
meta_suite!(postgres_meta, async { MetaFixture::server(Engine::Postgres) });
