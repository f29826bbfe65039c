//! Addresses on the internet: what others name is fetched from nowhere else. A function's own network, and AWS's services for it, are
//! no business of a vendor's.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// An address that is not fetched from.
#[derive(Debug, thiserror::Error)]
#[error("not a public https address")]
pub struct NotPublic;

/// Lets through what is on the internet, and one host beside that: who has a vendor on a private network has its videos there too.
#[derive(Clone, Debug)]
pub struct PublicOnly {
    trusted_host: Option<Arc<str>>,
}

impl PublicOnly {
    /// With the host of `trusted_url`, if it has one.
    pub fn and_host_of(trusted_url: &str) -> Self {
        let host = Url::parse(trusted_url).ok().and_then(|url| url.host_str().map(Arc::from));
        Self { trusted_host: host }
    }

    /// That `url` may be fetched, as far as its text says: names are looked at when they are resolved.
    pub fn check(&self, url: &Url) -> Result<(), NotPublic> {
        let host = url.host_str().ok_or(NotPublic)?;
        if self.is_trusted(host) {
            return if matches!(url.scheme(), "http" | "https") { Ok(()) } else { Err(NotPublic) };
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_private = literal.is_ok_and(|address| !is_public(address));
        if url.scheme() != "https" || is_private { Err(NotPublic) } else { Ok(()) }
    }

    fn is_trusted(&self, host: &str) -> bool {
        self.trusted_host.as_deref() == Some(host)
    }
}

/// Looks names up, and finds only what is public. What was looked at is what is connected to: a name that says something else the second
/// time gains nothing.
impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let is_trusted = self.is_trusted(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> =
                found.filter(|address| is_trusted || is_public(address.ip())).collect();
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the internet, by the registries of IANA.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0 // this network
        || a == 100 && b & 0b1100_0000 == 64 // shared by carriers
        || (a, b, c) == (192, 0, 0) // protocols
        || (a, b, c) == (192, 88, 99) // relays, deprecated
        || a == 198 && b & 0b1111_1110 == 18 // benchmarks
        || a >= 240; // reserved, broadcast
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped() {
        return is_public_v4(address);
    }
    let [a, b, c, d, .., g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Of IPv4, by NAT64 and 6to4.
        (0x0064, 0xff9b) if (c, d) == (0, 0) => embedded(g, h),
        (0x2002, high) => embedded(high, c),
        // Documentation, and protocols: Teredo, benchmarks, ORCHID.
        (0x2001, 0x0db8 | ..=0x01ff) | (0x3fff, ..=0x0fff) => false,
        // Only this is given out at all.
        _ => a & 0b1110_0000_0000_0000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for public in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn addresses_are_https_and_public_or_the_vendors_own() {
        let check = |guard: &PublicOnly, url: &str| guard.check(&Url::parse(url).unwrap()).is_ok();
        let guard = PublicOnly::and_host_of("");
        for good in ["https://vendor.example/v.mp4", "https://8.8.8.8/v.mp4"] {
            assert!(check(&guard, good), "{good}");
        }
        for bad in [
            "http://vendor.example/v.mp4",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "file:///etc/passwd",
            "data:video/mp4,x",
        ] {
            assert!(!check(&guard, bad), "{bad}");
        }
        let guard = PublicOnly::and_host_of("http://127.0.0.1:3002/simulation");
        assert!(check(&guard, "http://127.0.0.1:3001/v.mp4"));
        assert!(!check(&guard, "http://127.0.0.2/") && !check(&guard, "ftp://127.0.0.1/"));
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_found() {
        let resolve =
            |guard: PublicOnly| async move { guard.resolve("localhost".parse().unwrap()).await.is_ok() };
        assert!(!resolve(PublicOnly::and_host_of("http://127.0.0.1:1")).await);
        assert!(resolve(PublicOnly::and_host_of("http://localhost:1")).await);
    }
}
