//! Turns a text into its hash with the key of the target, `medal_keyed_hash`.

use std::any::Any;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

use crate::adapter::lake::functions::scalar::{each_text, text};
use crate::adapter::mask::MaskKey;

/// Adds the function; without a key it is known, and fails when it runs.
pub fn register(context: &SessionContext, key: Option<MaskKey>) {
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    context.register_udf(ScalarUDF::from(Keyed { key, signature }));
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Keyed {
    key: Option<MaskKey>,
    signature: Signature,
}

impl ScalarUDFImpl for Keyed {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "medal_keyed_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(key) = &self.key else { return exec_err!("`mask_key` of the target is not set") };
        let values = text(&args.args[0].to_array(args.number_rows)?)?;
        let hashes = each_text(values.len(), |row| Ok(values.is_valid(row).then(|| key.hash(values.value(row)))))?;
        Ok(ColumnarValue::Array(hashes))
    }
}
