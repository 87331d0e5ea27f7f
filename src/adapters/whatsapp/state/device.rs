//! The device: its credentials and counters, one record.

use async_trait::async_trait;
use whatsapp_rust::wacore::stats::StorageResourceReport;
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::error::Result;
use whatsapp_rust::wacore::store::traits::DeviceStore;

use super::keys::{DEVICE, only};
use super::{StateBackend, decode, encode};

/// A session has one device, so its row has always this number.
const DEVICE_ROW: i32 = 1;

#[async_trait]
impl DeviceStore for StateBackend {
    async fn save(&self, device: &Device) -> Result<()> {
        let _writing = self.locks.device.lock().await;
        self.put(only(DEVICE), encode(device)?).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.read(only(DEVICE)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.read(only(DEVICE)).await?.is_some())
    }

    async fn create(&self) -> Result<i32> {
        let _writing = self.locks.device.lock().await;
        if self.read(only(DEVICE)).await?.is_none() {
            self.put(only(DEVICE), encode(&Device::new())?).await?;
        }
        Ok(DEVICE_ROW)
    }

    async fn resource_report(&self) -> StorageResourceReport {
        StorageResourceReport { memory_bytes: Some(0), ..StorageResourceReport::default() }
    }
}
