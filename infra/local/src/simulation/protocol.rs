//! Which video vendors are simulated.

use std::fmt::{self, Display};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::access::{ARK_KEY, KLING_KEY, RUNWAY_KEY};

/// The protocol of a video vendor. The names are the values of the template's parameter `VideoVendor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The simulation's own: nobody's, in the shape of all.
    #[default]
    #[value(skip)]
    Plain,
    /// Volcengine Ark, Seedance.
    Ark,
    /// Kling, of the older generation: `/v1/videos/…`.
    Kling,
    /// Runway.
    Runway,
}

impl Protocol {
    /// As the template names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ark => "ark",
            Self::Kling => "kling",
            Self::Runway => "runway",
        }
    }

    /// Where on the internal port its simulation is: what takes the place of the vendor's base address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Plain => "/simulation/vendor",
            Self::Ark => "/simulation/ark",
            Self::Kling => "/simulation/kling",
            Self::Runway => "/simulation/runway",
        }
    }

    /// The only key that its simulation lets in, if it asks for one.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Ark => Some(ARK_KEY),
            Self::Kling => Some(KLING_KEY),
            Self::Runway => Some(RUNWAY_KEY),
        }
    }
}

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
