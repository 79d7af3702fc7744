//! What the engines of database servers promise beyond the conformance suite: lost connections, several proxies,
//! servers that go away. Stamped on every such engine.

mod clock;
mod commits;
#[path = "../support/databases.rs"]
mod databases;
mod faults;
mod fixture;
mod limits;
mod meta;
mod places;
mod relay;
mod sharing;
mod tables;
mod wait;

use databases::Engine;

macro_rules! server_suite {
    ($name:ident, $engine:expr) => {
        server_suite! { @stamp $name, $engine, fixture::Store::new,
            faults::a_put_whose_answer_is_lost_is_applied_once,
            faults::an_append_whose_answer_is_lost_is_applied_once,
            faults::a_group_whose_answer_is_lost_is_applied_once,
            faults::a_group_whose_answer_is_lost_is_stored_though_one_of_its_tables_is_gone_since,
            faults::a_write_that_is_cut_off_anywhere_is_applied_once,
            faults::a_write_that_cannot_be_settled_says_so,
            faults::a_server_that_is_down_is_said_so_at_once_and_used_again_when_it_is_back,
            faults::a_proxy_stopped_in_the_middle_of_a_batch_holds_others_up_for_a_lock_wait_at_most,
            faults::a_lock_that_is_never_let_go_of_is_a_timeout_and_nothing_is_written,
            faults::a_table_that_is_gone_behind_a_lost_connection_is_told_at_once,
            faults::a_connection_that_is_lost_without_a_word_is_not_waited_for,
            faults::a_server_that_takes_long_is_waited_for,
            faults::of_a_database_that_is_gone_no_more_than_names_are_told,
            faults::another_store_under_the_address_is_not_used,
            faults::a_caller_that_goes_away_neither_stops_a_write_nor_spoils_a_session,
            clock::times_go_on_from_the_last_one_though_the_clock_went_back,
            limits::the_largest_body_is_stored_and_read,
            limits::a_group_of_many_megabytes_is_one_transaction,
            limits::more_names_than_a_statement_takes_are_found,
            limits::pages_of_large_cells_ask_for_no_more_than_they_take,
            limits::a_statement_that_takes_too_long_is_a_timeout,
            limits::reads_that_are_given_up_leave_no_more_sessions_than_connections,
            limits::more_callers_than_connections_wait_for_their_turn,
            limits::a_wrong_password_is_refused_and_not_shown,
            places::a_store_is_at_one_place_for_everybody_and_another_one_elsewhere,
            tables::copies_of_its_tables_are_listed_and_views_and_other_tables_are_not,
            sharing::a_shared_write_whose_answer_is_lost_settles_each_by_its_token,
            sharing::one_request_a_store_does_not_take_fails_alone,
            sharing::of_equal_names_in_two_lanes_one_is_stored,
            sharing::of_a_shared_write_in_several_transactions_each_is_told_its_own_fate,
            meta::a_lost_answer_to_a_change_is_settled,
        }
    };
    (@stamp $name:ident, $engine:expr, $make:expr, $($module:ident::$promise:ident,)+) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(store) = $make($engine).await {
                        super::$module::$promise(store).await;
                    }
                }
            )+
        }
    };
}

server_suite!(mariadb, Engine::MariaDb);
server_suite!(mysql, Engine::Mysql);
server_suite!(postgres, Engine::Postgres);
// No other server can be made to refuse a COMMIT.
server_suite! { @stamp commits_of_postgres, Engine::Postgres, fixture::Store::new,
    commits::a_commit_that_the_server_refuses_is_never_said_to_be_stored,
}
