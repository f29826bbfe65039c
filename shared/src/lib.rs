//! The domain of Motionboard, in three rooms that import only downwards: `model`, `service`, `edge`.
