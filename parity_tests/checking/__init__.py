"""The comparison itself: what layers return (`values`), Jacobian- and Hessian-vector
products (`products`), every float32 there is (`exhaustive`), and one function in somebody's
own tests (`assertions`).
"""
