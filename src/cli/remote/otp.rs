//! `kurir otp`: one one-time password.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kurir_core::memory::SystemEntropy;
use kurir_core::port::Entropy as _;
use serde_json::json;

use super::Gateway;
use super::send::{Way, deliver, one_line};

/// The deadline without a wish.
const TTL: Duration = Duration::from_mins(2);

/// How a code is drawn that nobody gave.
const DIGITS: u32 = 6;

/// A one-time password.
#[derive(Clone, Debug, Args)]
pub struct OtpArgs {
    #[command(flatten)]
    way: Way,
    /// What the message says, with `{code}` where the code is to stand.
    #[arg(long, default_value = "{code}")]
    text: String,
    /// The code. `-` reads it from standard input: a command line can be seen by others. Without it six random digits are
    /// made and shown.
    code: Option<String>,
}

/// Sends it in the otp lane.
pub async fn run(args: OtpArgs, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let client = gateway.client()?;
    let (code, made) = match args.code {
        Some(code) if code == "-" => (one_line("the code")?, None),
        Some(code) => (code, None),
        None => {
            // 128 bits for six digits: no digit is likelier than another by more than anybody could measure.
            let number = SystemEntropy.nonce() % 10_u128.pow(DIGITS);
            let code = format!("{number:06}");
            (code.clone(), Some(("code", code)))
        }
    };
    let mut way = args.way;
    way.ttl = way.ttl.or(Some(TTL));
    let content = json!({"type": "otp", "code": code, "text": args.text});
    deliver(&client, gateway.output, &way, Some("otp".to_owned()), content, made).await
}
