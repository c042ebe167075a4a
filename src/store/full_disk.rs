//! A start on a full disk: it says so and waits until there is space, because a program that
//! ends is started again all the same, and says less.

use std::future::Future;
use std::time::Duration;

use super::StoreError;

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many attempts the log is told again.
const REMINDER: u32 = 120;

/// Does one step of the start; while the disk is full again and again. The step must leave no
/// trace when it fails.
///
/// # Errors
/// What the step fails with, unless that is a full disk.
pub async fn wait_for_space<T, F>(step: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut attempts = 0;
    loop {
        let error = match step().await {
            Err(error) if error.is_full_disk() => error,
            settled => {
                if attempts > 0 && settled.is_ok() {
                    tracing::info!("the database's disk has space again, the start goes on");
                }
                return settled;
            }
        };
        if attempts % REMINDER == 0 {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the start waits for space on the database's disk"
            );
        }
        attempts += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
