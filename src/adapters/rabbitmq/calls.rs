//! The port of calls.

use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::SessionId;
use kurir_core::port::{CallStream, Called, Calls, LARGEST_CALL, PortError};

use super::RabbitMq;

#[async_trait]
impl Calls for RabbitMq {
    async fn call(&self, session: &SessionId, request: Vec<u8>, within: Duration) -> Result<Called, PortError> {
        const ACTION: &str = "calling a session's owner";
        if request.len() > LARGEST_CALL {
            let source = format!("a call has at most {LARGEST_CALL} bytes").into();
            return Err(PortError::Refused { system: "RabbitMQ", action: ACTION, source });
        }
        self.shared.call_line.call(session, request, within).await.map_err(|error| error.during(ACTION))
    }

    fn listen(&self, session: &SessionId) -> Box<dyn CallStream> {
        self.shared.call_desk.listen(&self.shared, session)
    }
}
