//! BETWEEN compares its operands in one way, which their types decide: a NULL has one, too.

use crate::expression::{Expression, Function, Slot, Type};
use crate::value::ColumnType;

type Bexpr = Expression<Slot>;

/// The operands of a BETWEEN, of these types, so that each bound compares with the operand as all three do: as times if one
/// of them is a time, else as numbers if one is a number. Beside one of these a comparison reads text by itself; what is read
/// here stands beside text.
pub(crate) fn alike([operand, low, high]: [Bexpr; 3], types: [Type; 3]) -> [Bexpr; 3] {
    let is_text = |ty: Type| matches!(ty.ty, ColumnType::Text | ColumnType::Bytes);
    let [numbers, times] = [Type::is_number, Type::is_time].map(|is| types.into_iter().any(is));
    let beside_text = is_text(types[0]);
    let read = |e: Bexpr, ty: Type, beside_text: bool| match (is_text(ty), numbers, times) {
        // A number beside a time is one, whatever the third is.
        (true, true, true) => Expression::Call(Function::AsTime, vec![e]),
        (true, false, true) if beside_text => Expression::Call(Function::AsTime, vec![e]),
        (true, true, false) if beside_text => Expression::Call(Function::AsNumber, vec![e]),
        (_, _, _) => e,
    };
    [read(operand, types[0], false), read(low, types[1], beside_text), read(high, types[2], beside_text)]
}
