//! Calls within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::lock;
use crate::domain::SessionId;
use crate::port::{CallStream, Called, Calls, IncomingCall, LARGEST_CALL, PortError, WAITING_CALLS};

/// Those who listen, by their sessions; the number tells a later listener from an earlier one.
type Listeners = HashMap<SessionId, (u64, mpsc::Sender<IncomingCall>)>;

#[derive(Default)]
struct Switchboard {
    listeners: Listeners,
    listened: u64,
}

/// Calls between the parts of one process.
#[derive(Clone, Default)]
pub struct MemoryCalls(Arc<Mutex<Switchboard>>);

struct Listening {
    board: Arc<Mutex<Switchboard>>,
    session: SessionId,
    number: u64,
    calls: mpsc::Receiver<IncomingCall>,
}

#[async_trait]
impl CallStream for Listening {
    async fn next(&mut self) -> Option<IncomingCall> {
        self.calls.recv().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        if board.listeners.get(&self.session).is_some_and(|(number, _)| *number == self.number) {
            board.listeners.remove(&self.session);
        }
    }
}

#[async_trait]
impl Calls for MemoryCalls {
    async fn call(&self, session: &SessionId, request: Vec<u8>, within: Duration) -> Result<Called, PortError> {
        if request.len() > LARGEST_CALL {
            let source = format!("a call has at most {LARGEST_CALL} bytes").into();
            return Err(PortError::Refused { system: "the process", action: "a call", source });
        }
        let (answer, answered) = oneshot::channel();
        let call = IncomingCall { body: request, within, answer };
        let owner = lock(&self.0).listeners.get(session).map(|(_, owner)| owner.clone());
        match owner.map(|owner| owner.try_send(call)) {
            None | Some(Err(mpsc::error::TrySendError::Closed(_))) => return Ok(Called::NoOwner),
            Some(Err(mpsc::error::TrySendError::Full(_))) => return Ok(Called::Busy),
            Some(Ok(())) => {}
        }
        // An owner that lets go of its session drops what it has not answered.
        Ok(match timeout(within, answered).await {
            Ok(Ok(answer)) => Called::Answered(answer),
            Ok(Err(_)) | Err(_) => Called::NoAnswer,
        })
    }

    fn listen(&self, session: &SessionId) -> Box<dyn CallStream> {
        let (sender, calls) = mpsc::channel(WAITING_CALLS);
        let mut board = lock(&self.0);
        board.listened += 1;
        let number = board.listened;
        board.listeners.insert(session.clone(), (number, sender));
        Box::new(Listening { board: Arc::clone(&self.0), session: session.clone(), number, calls })
    }
}
