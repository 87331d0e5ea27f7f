//! The points at which tests let a process die: in the test build only.

use std::time::Duration;

use base64::Engine as _;
use tokio::process::Command;

/// Starts a role that can reach nothing, with a point that there is not; gives what it says before it gives up.
async fn refused() -> String {
    let keys = format!("1:{}", base64::engine::general_purpose::STANDARD.encode([7; 32]));
    let settings = [
        ("KURIR_CRASH_AT", "nowhere"),
        ("KURIR_STORE__KIND", "postgres"),
        ("KURIR_STORE__ENCRYPTION_KEYS", &keys),
        // Nobody listens there.
        ("KURIR_POSTGRES__URL", "postgres://kurir:kurir@127.0.0.1:1/kurir"),
        ("KURIR_RABBITMQ__URL", "amqp://kurir:kurir@127.0.0.1:1/%2f"),
    ];
    let role =
        Command::new(env!("CARGO_BIN_EXE_kurir")).arg("relay").env_clear().envs(settings).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_mins(1), role).await.expect("it gives up").expect("it starts");
    assert!(!output.status.success());
    [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
}

#[cfg(feature = "simulator")]
#[tokio::test]
async fn the_build_with_the_simulator_knows_them() {
    let said = refused().await;
    assert!(said.contains("KURIR_CRASH_AT") && said.contains("nowhere"), "{said}");
}

#[cfg(not(feature = "simulator"))]
#[tokio::test]
async fn the_build_for_whatsapp_has_none() {
    let said = refused().await;
    assert!(said.contains("PostgreSQL") && !said.contains("KURIR_CRASH_AT"), "{said}");
}
