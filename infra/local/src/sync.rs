//! A small help for locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, even after another thread panicked: what these locks guard is never left half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
